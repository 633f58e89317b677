-- Writes documents into a bucket and sets its checkpoint, provided that a field of the bucket has the value
-- that the writer expects. An older document is not written, so a repetition changes nothing.
-- KEYS: the bucket.
-- ARGV: the field and its expected value; the new checkpoint, or an empty text to keep the old one; then the
-- id, the position and the document of each row.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
    return 0
end
for i = 4, #ARGV, 3 do
    local held = redis.call('HGET', KEYS[1], ARGV[i])
    if not held or tonumber(string.match(held, '^%d+')) <= tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
    end
end
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[1], '@checkpoint', ARGV[3])
    redis.call('HDEL', KEYS[1], '@filling')
end
return 1
