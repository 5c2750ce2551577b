-- Stores a message, where the room keeps any, and hands it to the nodes that are subscribed.
-- KEYS: meta, log, idempotency keys (any key of the room where there is none)
-- ARGV: channel, PUBLISH or SPUBLISH, payload, key, flags (1: binary, 4: checked JSON, 8: the key has a meta in it), size and age in ms of the history
--       (0: none), age of the metadata in ms, age of the idempotency key in ms (0: none), the idempotency key, how many
--       of them are remembered (10000), bytes of the history (16 MiB). The last three may be left out.
-- Reply: epoch, offset, 1 for a duplicate
local channel, verb, payload, key, flags = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local size, age, forget = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[9])
local limit = tonumber(ARGV[12] or 16777216)

-- The idempotency keys are a hash: a key ("k" before it) with when it expires, its turn and what became of it; the key
-- at a place of the ring ("r" and its number); the next turn ("n").
local time = redis.call('TIME')
local now, turn = time[1] * 1000 + math.floor(time[2] / 1000)
local id = 'k' .. (ARGV[10] or '')
if forget > 0 then
  local known = redis.call('HMGET', KEYS[3], id, 'n')
  if known[1] then
    local expires, _, offset = struct.unpack('>I8I8I8', known[1])
    if expires > now then return {string.sub(known[1], 25), offset, 1} end
  end
  turn = tonumber(known[2] or 0)
end
local function remember(epoch, offset)
  local most = tonumber(ARGV[11] or 10000)
  local place = string.format('r%.0f', turn % most)
  if turn >= most then
    local oldest = redis.call('HGET', KEYS[3], place)
    local known = oldest and redis.call('HGET', KEYS[3], oldest)
    if known and struct.unpack('>I8', known, 9) == turn - most then redis.call('HDEL', KEYS[3], oldest) end
  end
  redis.call('HSET', KEYS[3], 'n', string.format('%.0f', turn + 1), place, id,
    id, struct.pack('>I8I8I8', now + forget, turn, offset) .. epoch)
  if redis.call('PTTL', KEYS[3]) < forget then redis.call('PEXPIRE', KEYS[3], forget) end
end

if key ~= '' then
  flags = flags + 2
  key = struct.pack('>I4', #key) .. key
end
if size == 0 then
  if turn then remember('', 0) end
  redis.call(verb, channel, struct.pack('BB', 1, flags) .. key .. payload)
  return {'', 0, 0}
end

local stamp = time[1] * 1000000 + time[2]
local epoch, top, prev, born, bytes
local meta = redis.call('GET', KEYS[1])
if meta then epoch, top, prev, born, bytes = string.match(meta, '^(%S+) (%d+) (%d+) (%d+) (%d+)$') end
if epoch and #epoch == 12 then
  top, prev, bytes = top + 1, tonumber(prev), tonumber(bytes)
  if stamp <= prev then stamp = prev + 1 end
else
  epoch, top, prev, born, bytes = string.sub(redis.sha1hex(time[1] .. '.' .. time[2] .. KEYS[1]), 1, 12), 1, 0, '0', 0
  redis.call('DEL', KEYS[2])
end
local entry = struct.pack('>BBI8I8I8', 2, flags, top, stamp, prev) .. epoch .. key .. payload
local function drop(n)
  for _, gone in ipairs(redis.call('LPOP', KEYS[2], n) or {}) do bytes = bytes - #gone end
end
if #entry > limit then
  redis.call('DEL', KEYS[2])
  bytes = 0
else
  local length = redis.call('RPUSH', KEYS[2], entry)
  bytes = length == 1 and #entry or bytes + #entry
  -- Readers stop at size; trimming a few at a time is cheaper.
  if length > size + math.floor(size / 8) then drop(length - size) end
  while bytes > limit and length > 1 do
    drop(1)
    length = length - 1
  end
  if top % 16 == 0 then
    -- Readers skip what is too old; here its memory is freed, twice as fast as it comes. So is what is no message.
    local dead = 0
    while dead < 32 do
      local oldest = redis.call('LINDEX', KEYS[2], dead)
      if not oldest or #oldest >= 38 and struct.unpack('>I8', oldest, 11) > stamp - age * 1000 then break end
      dead = dead + 1
    end
    if dead > 0 then drop(dead) end
  end
  redis.call('PEXPIRE', KEYS[2], age)
end
redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %s %.0f', epoch, top, stamp, born, math.max(bytes, 0)), 'PX', ARGV[8])
if turn then remember(epoch, top) end
redis.call(verb, channel, entry)
return {epoch, top, 0}
