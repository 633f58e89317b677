-- A query reads as many rows as its page needs, or as many as it may examine, however many there are. So each shape of
-- a filter has an index in the order of its list, and one index finds auctions by all that there may be few of.
--
-- Where another index has the same order, such as the primary key, Postgres might read that one and skip what does not
-- match, because it does not know how much that is. So these indexes have an order that no other has: no id and no
-- position is null, but Postgres tells orders apart by where nulls would be.

-- Auctions: what they are found by.
--
-- Beside the words of the title there is a term for each of an auction's properties. Such a term begins with a space,
-- which no word contains. A title that an event holds may be of any length, but a tsvector may not.

create function term(property text, value text) returns text
    language sql immutable strict parallel safe
    return ' ' || property || ' ' || value;
comment on function term is 'The term of a property in auction_rows.search.';

create function auction_terms(auction json) returns tsvector
    language sql immutable strict parallel safe
    return to_tsvector('simple', folded(left(auction ->> 'title', 1000)))
        || array_to_tsvector(array_remove(array[
               term('status', auction ->> 'status'),
               term('category', auction ->> 'category_id'),
               term('seller', auction ->> 'seller_id'),
               term('currency', auction #>> '{current_price,currency}')
           ], null));
comment on function auction_terms is 'What searches find an auction by: the words of its title and its properties.';

create function any_term(property text, matching text[]) returns text
    language sql immutable strict parallel safe
    return (select '(' || string_agg(quote_literal(term(property, value)), ' | ') || ')' from unnest(matching) as value);
comment on function any_term is 'The text of a tsquery for auctions whose property has one of these values. No value holds a quote or a backslash.';

create function words_query(words text) returns text
    language sql immutable strict parallel safe
    -- A search without a word finds nothing, as does a term that no auction has.
    return '(' || coalesce(nullif(websearch_to_tsquery('simple', folded(words))::text, ''), quote_literal(' ')) || ')';
comment on function words_query is 'The text of a tsquery for auctions with the words of a search.';

create function auction_query(statuses text[], categories text[], seller text, currency text, words text)
    returns tsquery
    language sql immutable parallel safe
    return nullif(
        concat_ws(
            ' & ',
            words_query(words),
            any_term('category', categories),
            any_term('seller', array[seller]),
            any_term('currency', array[currency]),
            any_term('status', statuses)
        ),
        ''
    )::tsquery;
comment on function auction_query is 'Finds auctions by all of these; null where it does not matter, and if nothing does.';

alter table auction_rows drop column search;
alter table auction_rows
    add column search tsvector not null generated always as (auction_terms(doc)) stored;
comment on column auction_rows.category_id is 'Builds before this migration search by it.';
comment on column auction_rows.search is 'The words of the title, and a term for each property that lists are filtered by.';

drop index
    auction_rows_position_id_idx,
    auction_rows_ends_at_id_idx,
    auction_rows_currency_price_id_idx,
    auction_rows_bid_count_id_idx,
    auction_rows_category_id_id_idx;
-- What changed since a position: live updates and documents in Redis learn of it.
create index on auction_rows (position, id);
create index on auction_rows (status, ends_at, id);
create index on auction_rows (status, currency, price, id);
create index on auction_rows (status, bid_count, id);
create index on auction_rows (status, id desc nulls last);
-- Searches read the list of changes that are not in the index yet, so it is kept short (in kilobytes).
create index on auction_rows using gin (search) with (gin_pending_list_limit = 512);

-- Products: a list is of one status at a time, and the lists of several statuses are merged.

drop index
    product_rows_status_id_idx,
    product_rows_category_id_id_idx,
    product_rows_seller_id_id_idx;
create index on product_rows (position, id);
create index on product_rows (status, id desc nulls last);
create index on product_rows (category_id, status, id desc nulls last);
create index on product_rows (seller_id, status, id desc nulls last);
create index on product_rows (seller_id, category_id, status, id desc nulls last);

-- History: the log records no event at an earlier time than the one before, so a moment is a position. How many rows an
-- interval of positions has is not known to Postgres either, so that the index of positions must not come into question.

drop index
    history_rows_recorded_at_idx,
    history_rows_event_type_position_idx,
    history_rows_aggregate_position_idx,
    history_rows_actor_position_idx;
create index on history_rows (event_type, (position + 0));
create index on history_rows (aggregate, (position + 0));
create index on history_rows (actor, (position + 0));
comment on column history_rows.recorded_at is 'Builds before this migration search by it.';
-- Auditors read more often than anything else happens that they want to read of.
create index on history_rows ((position + 0)) where aggregate <> 'reading';

create function position_before(moment timestamptz) returns bigint
    language plpgsql stable strict parallel safe as $$
declare
    -- What is at low or below it was recorded before the moment, what is at high or above it was not.
    low    bigint := 0;
    high   bigint := (select position + 1 from log_head);
    middle bigint;
begin
    while high - low > 1 loop
        middle := (low + high) / 2;
        if (select recorded_at < moment from events where position = middle) then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return low;
end
$$;
comment on function position_before is 'The position of the last event that was recorded before the moment; 0 if none was.';
