-- Writes documents into a bucket, and moves its checkpoint, if the bucket is as the writer knows it.
-- All values are absolute and only newer ones are written, so a repetition changes nothing.
-- KEYS: the bucket. ARGV: a field and its value, without which nothing is done; the new checkpoint,
-- or nothing; then id, position and document, each as often as there are documents.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
    return 0
end
for i = 4, #ARGV, 3 do
    local held = redis.call('HGET', KEYS[1], ARGV[i])
    if not held or tonumber(string.match(held, '^%d+')) < tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
    end
end
if ARGV[3] ~= '' then
    redis.call('HSET', KEYS[1], '@checkpoint', ARGV[3])
    redis.call('HDEL', KEYS[1], '@filling')
end
return 1
