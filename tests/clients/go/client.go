// A bidder, by the packages that oapi-codegen makes.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/google/uuid"
	"github.com/oapi-codegen/runtime/types"

	"tidemark.example/clients/commandapi"
	"tidemark.example/clients/queryapi"
)

const password = "slow tides carry lanterns home"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func require(holds bool, what string, found any) {
	if !holds {
		log.Fatalf("%s: %v", what, found)
	}
}

func main() {
	ctx := context.Background()
	commands, err := commandapi.NewClientWithResponses(os.Getenv("COMMAND_URL"))
	check(err)
	queries, err := queryapi.NewClientWithResponses(os.Getenv("QUERY_URL"))
	check(err)
	auction := uuid.MustParse(os.Getenv("AUCTION_ID"))
	email := uuid.NewString() + "@tidemark.example"

	registered, err := commands.RegisterWithResponse(ctx, nil, commandapi.NewUser{
		Email: types.Email(email), Password: password, DisplayName: "Ottilie Sommerfeld",
	})
	check(err)
	require(registered.JSON201 != nil, "register", registered.Status())
	session, err := commands.LogInWithResponse(ctx, nil, commandapi.Login{Email: email, Password: password})
	check(err)
	require(session.JSON201 != nil, "log in", session.Status())
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+session.JSON201.AccessToken)
		return nil
	}

	// Two pages of one auction each, and nothing twice.
	open, one := queryapi.AuctionStatusOpen, int64(1)
	first, err := queries.ListAuctionsWithResponse(ctx, &queryapi.ListAuctionsParams{Status: &open, Limit: &one})
	check(err)
	require(first.JSON200 != nil && first.JSON200.Next != nil, "first page", first.Status())
	second, err := queries.ListAuctionsWithResponse(ctx, &queryapi.ListAuctionsParams{
		Status: &open, Limit: &one, Cursor: first.JSON200.Next,
	})
	check(err)
	require(second.JSON200 != nil, "second page", second.Status())
	require(first.JSON200.Items[0].Id != second.JSON200.Items[0].Id, "pages", "the same auction twice")

	bid := func(amount int64, key string) *commandapi.PlaceBidResponse {
		placed, err := commands.PlaceBidWithResponse(ctx, auction,
			&commandapi.PlaceBidParams{IdempotencyKey: &key},
			commandapi.NewBid{Amount: commandapi.Price{Amount: amount, Currency: commandapi.EUR}}, authorize)
		check(err)
		return placed
	}

	// A bid that is too low is told how much is enough.
	tooLow := bid(1, uuid.NewString())
	require(tooLow.ApplicationproblemJSON409 != nil, "too low", tooLow.Status())
	require(tooLow.ApplicationproblemJSON409.Code == "bid_too_low", "code", tooLow.ApplicationproblemJSON409)
	minimum := tooLow.ApplicationproblemJSON409.AdditionalProperties["minimum"].(map[string]any)
	amount := int64(minimum["amount"].(float64))
	key := uuid.NewString()
	placed := bid(amount, key)
	require(placed.JSON201 != nil, "bid", placed.Status())
	again := bid(amount, key)
	require(*again.JSON201 == *placed.JSON201, "retry", again.JSON201)
	require(again.HTTPResponse.Header.Get("Idempotency-Replayed") == "true", "retry", again.HTTPResponse.Header)

	// What was written can be read.
	tidemark := placed.HTTPResponse.Header.Get("Tidemark")
	read, err := queries.GetAuctionWithResponse(ctx, auction, &queryapi.GetAuctionParams{Tidemark: &tidemark})
	check(err)
	require(read.JSON200 != nil, "read", read.Status())
	require(*read.JSON200.LeaderId == session.JSON201.UserId, "leader", read.JSON200)
	require(read.JSON200.CurrentPrice.Amount == amount, "price", read.JSON200)
	fmt.Printf("Go: bid %d\n", amount)
}
