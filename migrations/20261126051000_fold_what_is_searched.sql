-- A search finds a text however it is written: case and forms of compatibility are folded away, in rows and in
-- queries by the same function. Postgres's own `lower` follows the locale of the database, which folds nothing
-- but ASCII in "C".
--
-- Upper case has one form for letters of which lower case has several, such as the final sigma and the long s,
-- and spells out the sharp s, whose capital only lower case folds. So all three are taken in turn. NFKC comes last
-- again: a letter with a mark may have no upper case of its own. No text makes it raise.
create function folded(text) returns text
    language sql immutable strict parallel safe
    return translate(
        normalize(
            lower(upper(lower(normalize($1, nfkc) collate "und-x-icu") collate "und-x-icu") collate "und-x-icu"),
            nfkc
        ),
        U&'\03C2',
        U&'\03C3'
    );
comment on function folded is 'The text as searches compare it: without differences of case and of compatibility forms.';

-- The rows are written anew, with their index.
alter table auction_rows drop column search;
alter table auction_rows
    add column search tsvector not null
        generated always as (to_tsvector('simple', folded(doc ->> 'title'))) stored;
create index on auction_rows using gin (search);
