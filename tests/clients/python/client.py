"""A bidder, by the packages that openapi-python-client makes."""

import os
import uuid

from command_api import AuthenticatedClient
from command_api import Client as CommandClient
from command_api.api.auctions import place_bid
from command_api.api.sessions import log_in
from command_api.api.users import register
from command_api.models import Currency, Login, NewBid, NewUser, Price
from query_api import Client as QueryClient
from query_api.api.auctions import get_auction, list_auctions
from query_api.models import AuctionStatus

commands = CommandClient(base_url=os.environ["COMMAND_URL"])
queries = QueryClient(base_url=os.environ["QUERY_URL"])
auction_id = uuid.UUID(os.environ["AUCTION_ID"])
email, password = f"{uuid.uuid4()}@tidemark.example", "slow tides carry lanterns home"

person = NewUser(email=email, password=password, display_name="Ottilie Sommerfeld")
assert register.sync_detailed(client=commands, body=person).status_code == 201
session = log_in.sync(client=commands, body=Login(email=email, password=password))
bidder = AuthenticatedClient(base_url=os.environ["COMMAND_URL"], token=session.access_token)

# Two pages of one auction each, and nothing twice.
first = list_auctions.sync(client=queries, status=AuctionStatus.OPEN, limit=1)
second = list_auctions.sync(client=queries, status=AuctionStatus.OPEN, limit=1, cursor=first.next_)
assert len({auction.id for auction in first.items + second.items}) == 2


def bid(amount, key):
    """Bids so many cents."""
    body = NewBid(amount=Price(amount=amount, currency=Currency.EUR))
    return place_bid.sync_detailed(auction_id, client=bidder, body=body, idempotency_key=key)


# A bid that is too low is told how much is enough.
too_low = bid(1, str(uuid.uuid4())).parsed
assert too_low.code == "bid_too_low"
amount = too_low["minimum"]["amount"]
key = str(uuid.uuid4())
placed = bid(amount, key)
assert placed.status_code == 201, placed
again = bid(amount, key)
assert again.parsed == placed.parsed
assert again.headers["Idempotency-Replayed"] == "true"

# What was written can be read.
auction = get_auction.sync(auction_id, client=queries, tidemark=placed.headers["Tidemark"])
assert auction.leader_id == session.user_id
assert auction.current_price.amount == amount
print(f"Python: bid {amount}")
