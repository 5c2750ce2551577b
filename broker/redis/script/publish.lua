-- Stores a message, where the room keeps any, and hands it to the nodes that are subscribed.
-- KEYS: meta, log, idempotency key (any key of the room where there is none)
-- ARGV: channel, PUBLISH or SPUBLISH, payload, key, flags (1: binary), size and age in ms of the history (0: none),
--       age of the metadata in ms, age of the idempotency key in ms (0: none)
-- Reply: epoch, offset, 1 for a duplicate
local channel, verb, payload, key, flags = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local size, age, forget = tonumber(ARGV[6]), ARGV[7], ARGV[9]
if forget ~= '0' then
  local seen = redis.call('GET', KEYS[3])
  if seen then
    local epoch, offset = string.match(seen, '^(%S*) (%d+)$')
    return {epoch, tonumber(offset), 1}
  end
end
if key ~= '' then
  flags = flags + 2
  key = struct.pack('>I4', #key) .. key
end
if size == 0 then
  if forget ~= '0' then redis.call('SET', KEYS[3], ' 0', 'PX', forget) end
  redis.call(verb, channel, struct.pack('BB', 1, flags) .. key .. payload)
  return {'', 0, 0}
end

local time = redis.call('TIME')
local stamp = time[1] * 1000000 + time[2]
local epoch, top, prev, born
local meta = redis.call('GET', KEYS[1])
if meta then
  epoch, top, prev, born = string.match(meta, '^(%S+) (%d+) (%d+) (%d+)$')
  top, prev = top + 1, tonumber(prev)
  if stamp <= prev then stamp = prev + 1 end
else
  epoch, top, prev, born = string.sub(redis.sha1hex(time[1] .. '.' .. time[2] .. KEYS[1]), 1, 12), 1, 0, '0'
  redis.call('DEL', KEYS[2])
end
local entry = struct.pack('>BBI8I8I8', 2, flags, top, stamp, prev) .. epoch .. key .. payload
local length = redis.call('RPUSH', KEYS[2], entry)
-- Readers stop at size; trimming a few at a time is cheaper.
if length > size + math.floor(size / 8) then redis.call('LTRIM', KEYS[2], -size, -1) end
if top % 16 == 0 then
  -- Readers skip what is too old; here its memory is freed, twice as fast as it comes.
  local dead = 0
  while dead < 32 do
    local oldest = redis.call('LINDEX', KEYS[2], dead)
    if not oldest or struct.unpack('>I8', oldest, 11) > stamp - age * 1000 then break end
    dead = dead + 1
  end
  if dead > 0 then redis.call('LTRIM', KEYS[2], dead, -1) end
end
redis.call('PEXPIRE', KEYS[2], age)
redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %s', epoch, top, stamp, born), 'PX', ARGV[8])
if forget ~= '0' then redis.call('SET', KEYS[3], string.format('%s %.0f', epoch, top), 'PX', forget) end
redis.call(verb, channel, entry)
return {epoch, top, 0}
