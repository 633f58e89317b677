// A bidder, by the types that openapi-typescript makes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { paths as Commands } from "./command-api.js";
import type { components, paths as Queries } from "./query-api.js";

const commands = createClient<Commands>({ baseUrl: process.env.COMMAND_URL });
const queries = createClient<Queries>({ baseUrl: process.env.QUERY_URL });
const id = process.env.AUCTION_ID!;
const person = { email: `${randomUUID()}@tidemark.example`, password: "slow tides carry lanterns home" };

const registered = await commands.POST("/v1/users", { body: { ...person, display_name: "Ottilie Sommerfeld" } });
assert.equal(registered.response.status, 201);
const session = await commands.POST("/v1/sessions", { body: person });
assert(session.data);
const authorization = { Authorization: `Bearer ${session.data.access_token}` };

// Two pages of one auction each, and nothing twice.
const first = await queries.GET("/v1/auctions", { params: { query: { status: "open", limit: 1 } } });
assert(first.data?.next);
const second = await queries.GET("/v1/auctions", {
  params: { query: { status: "open", limit: 1, cursor: first.data.next } },
});
assert(second.data);
const auctions: components["schemas"]["Auction"][] = [...first.data.items, ...second.data.items];
assert.equal(new Set(auctions.map((auction) => auction.id)).size, 2);

// A bid that is too low is told how much is enough.
const bid = (amount: number, key: string) =>
  commands.POST("/v1/auctions/{id}/bids", {
    params: { path: { id }, header: { "Idempotency-Key": key } },
    headers: authorization,
    body: { amount: { amount, currency: "EUR" } },
  });
const tooLow = await bid(1, randomUUID());
assert.equal(tooLow.error?.code, "bid_too_low");
const { amount } = tooLow.error.minimum as { amount: number };
const key = randomUUID();
const placed = await bid(amount, key);
assert(placed.data);
const again = await bid(amount, key);
assert.deepEqual(again.data, placed.data);
assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");

// What was written can be read.
const read = await queries.GET("/v1/auctions/{id}", {
  params: { path: { id }, header: { Tidemark: placed.response.headers.get("Tidemark")! } },
});
assert.equal(read.data?.leader_id, session.data.user_id);
assert.equal(read.data?.current_price.amount, amount);
console.log(`TypeScript: bid ${amount}`);
