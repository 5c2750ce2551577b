-- Keeps the metadata of a room to which nothing was published.
-- KEYS: meta. ARGV: its age in ms
-- Reply: its epoch; empty if it is lost, or if there are messages
local epoch = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) 0 ')
if epoch then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return epoch or ''
