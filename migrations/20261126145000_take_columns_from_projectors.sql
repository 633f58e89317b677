-- Projectors write the columns that rows are searched and sorted by. Postgres made them of the document until now, which it
-- read once for each of them, and of the title's words anew with every bid.

alter table auction_rows
    alter column status drop expression,
    alter column category_id drop expression,
    alter column seller_id drop expression,
    alter column winner_id drop expression,
    alter column currency drop expression,
    alter column price drop expression,
    alter column bid_count drop expression,
    alter column ends_at drop expression,
    alter column search drop expression,
    add column title text;
alter table bid_rows
    alter column auction_id drop expression,
    alter column bidder_id drop expression;
alter table product_rows
    alter column seller_id drop expression,
    alter column category_id drop expression,
    alter column status drop expression;
alter table category_rows
    alter column parent_id drop expression,
    alter column slug drop expression,
    alter column sort_order drop expression;
alter table history_rows
    alter column aggregate drop expression,
    alter column event_type drop expression,
    alter column actor drop expression,
    alter column recorded_at drop expression;
comment on column auction_rows.title is 'The beginning of the title, which is searched; null in a row that was written before this migration.';

create function auction_search(title text, status text, category_id uuid, seller_id uuid, currency text) returns tsvector
    language sql immutable parallel safe
    return to_tsvector('simple', folded(title))
        || array_to_tsvector(array_remove(array[
               term('status', status),
               term('category', category_id::text),
               term('seller', seller_id::text),
               term('currency', currency)
           ], null));
comment on function auction_search is 'What searches find an auction by: the words of its title and its properties.';
drop function auction_terms;

-- Builds before this migration write documents alone. Later ones say on each connection that they write the columns.

create function fill_auction_columns() returns trigger language plpgsql as $$
begin
    new.title := left(new.doc ->> 'title', 1000);
    new.status := new.doc ->> 'status';
    new.category_id := new.doc ->> 'category_id';
    new.seller_id := new.doc ->> 'seller_id';
    new.winner_id := new.doc #>> '{outcome,winner_id}';
    new.currency := new.doc #>> '{current_price,currency}';
    new.price := new.doc #>> '{current_price,amount}';
    new.bid_count := new.doc ->> 'bid_count';
    new.ends_at := instant(new.doc ->> 'ends_at');
    new.search := auction_search(new.title, new.status, new.category_id, new.seller_id, new.currency);
    return new;
end
$$;
create function fill_bid_columns() returns trigger language plpgsql as $$
begin
    new.auction_id := new.doc ->> 'auction_id';
    new.bidder_id := new.doc ->> 'bidder_id';
    return new;
end
$$;
create function fill_product_columns() returns trigger language plpgsql as $$
begin
    new.seller_id := new.doc ->> 'seller_id';
    new.category_id := new.doc ->> 'category_id';
    new.status := new.doc ->> 'status';
    return new;
end
$$;
create function fill_category_columns() returns trigger language plpgsql as $$
begin
    new.parent_id := new.doc ->> 'parent_id';
    new.slug := new.doc ->> 'slug';
    new.sort_order := new.doc ->> 'sort_order';
    return new;
end
$$;
create function fill_history_columns() returns trigger language plpgsql as $$
begin
    new.aggregate := new.doc ->> 'aggregate';
    new.event_type := new.doc ->> 'event_type';
    new.actor := new.doc ->> 'actor';
    new.recorded_at := instant(new.doc ->> 'recorded_at');
    return new;
end
$$;

create trigger fill_columns before insert or update on auction_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_auction_columns();
create trigger fill_columns before insert or update on bid_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_bid_columns();
create trigger fill_columns before insert or update on product_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_product_columns();
create trigger fill_columns before insert or update on category_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_category_columns();
create trigger fill_columns before insert or update on history_rows
    for each row when (current_setting('tidemark.columns', true) is distinct from 'written') execute function fill_history_columns();
