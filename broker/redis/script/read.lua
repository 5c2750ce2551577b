-- Reads the history of a room.
-- KEYS: meta, log
-- ARGV: epoch, offset and stamp to read after (offset -1: from the oldest; stamp -1: not to be verified), newest so many
--       (0: all), limit (0: none), size and age in ms of the history (0: as stored), age of the metadata in ms (0: do not begin one)
-- Reply: epoch, offset and stamp of the newest, 1 for a gap, 1 for more, entries. With a gap and a stamp to verify: of
-- the place to read on from.
local since, offset, seen = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local newest, limit, size, age = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local function begin(top, stamp)
  local epoch = string.sub(redis.sha1hex(time[1] .. '.' .. time[2] .. KEYS[1]), 1, 12)
  redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %.0f', epoch, top, stamp, top), 'PX', ARGV[8])
  return epoch
end
local function number(index, at) return struct.unpack('>I8', redis.call('LINDEX', KEYS[2], index), at) end

local epoch, top, stamp, born
local meta = redis.call('GET', KEYS[1])
if meta then
  epoch, top, stamp, born = string.match(meta, '^(%S+) (%d+) (%d+) (%d+)$')
  top, stamp, born = tonumber(top), tonumber(stamp), tonumber(born)
  if ARGV[8] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[8]) end
elseif ARGV[8] == '0' then
  return {'', 0, 0, offset >= 0 and 1 or 0, 0, {}}
else
  redis.call('DEL', KEYS[2])
  epoch, top, stamp, born = begin(0, 0), 0, 0, 0
end

local length = redis.call('LLEN', KEYS[2])
if age > 0 and length > 0 then
  local cutoff = time[1] * 1000000 + time[2] - age * 1000
  if number(0, 11) <= cutoff then
    local dead, alive = 0, length
    while alive - dead > 1 do
      local middle = math.floor((dead + alive) / 2)
      if number(middle, 11) <= cutoff then dead = middle else alive = middle end
    end
    redis.call('LTRIM', KEYS[2], alive, -1)
    length = length - alive
  end
end
local base = top - length
local from = base + 1
if size > 0 and length > size then from = top - size + 1 end

if offset >= 0 then
  if since == '' then since = epoch end -- the asker saw the room before its first message
  if seen >= 0 and since == epoch then
    -- The asker had the message at offset, with this stamp. If it is not the one stored, or not stored, a
    -- server took over that had not got it: no position of this epoch can be trusted any more.
    local here = offset <= top
    if offset == top then here = seen == stamp
    elseif here and offset >= base then here = number(offset - base, 19) == seen end
    if not here then epoch, born = begin(top, stamp), top end
  end
  if since ~= epoch or offset > top or offset + 1 < from then
    if since ~= epoch and born >= from then from = born + 1 end
    if seen >= 0 and from <= top then
      -- What is left comes after the gap.
      return {epoch, from - 1, number(from - base - 1, 19), 1, 1, {}}
    end
    return {epoch, top, stamp, 1, 0, {}}
  end
  from = offset + 1
end
if newest > 0 and top - from >= newest then from = top - newest + 1 end
local to, more = top, 0
if limit > 0 and to - from >= limit then to, more = from + limit - 1, 1 end
if from > to then return {epoch, top, stamp, 0, 0, {}} end
return {epoch, top, stamp, 0, more, redis.call('LRANGE', KEYS[2], from - base - 1, to - base - 1)}
