//! What a command has just made need not be looked for.

use std::collections::BTreeMap;

use tidemark_domain::market::product::Draft;
use tidemark_events::CategoryId;
use tidemark_events::market::product::Condition;

use super::*;

/// Of the streams and the claim on which a new auction rests, none is loaded.
#[test]
fn an_auction_is_opened_without_a_load() {
    let product_id = ProductId(Uuid::from_u128(79));
    let draft = Draft {
        product_id,
        category_id: CATEGORY,
        title: "Field camera".to_owned().try_into().unwrap(),
        description: "Brass and leather".to_owned().try_into().unwrap(),
        condition: Condition::Good,
        images: Vec::new(),
        specifications: BTreeMap::new(),
        shipping: None,
    };
    let refused = Draft {
        product_id: ProductId(Uuid::from_u128(80)),
        category_id: CategoryId(AUCTION.0),
        ..draft.clone()
    };
    let auction_id = AuctionId(Uuid::from_u128(78));
    let (groups, commands, cache) = decide(vec![
        queued(SELLER, product_id.0, draft),
        queued(SELLER, product_id.0, List { product_id }),
        queued(SELLER, auction_id.0, schedule(auction_id, product_id)),
        queued(SELLER, refused.product_id.0, refused),
    ]);
    let accepted = commands.iter().flatten().filter(|c| c.is_accepted());
    assert_eq!(accepted.count(), 3);
    // The append proves it.
    for id in [product_id.0, auction_id.0] {
        assert!(groups[0].streams.contains(&(id, 0)));
    }
    let claim = Claim::new(ClaimScope::AuctionedProduct, product_id);
    assert_eq!(
        groups[0].claims_read,
        [(claim.scope.name(), claim.key, None)]
    );
    let of_refused = Claim::new(ClaimScope::AuctionedProduct, ProductId(Uuid::from_u128(80)));
    assert_eq!(cache.owner(&of_refused), None);
}
