-- Reads the history of a room.
-- KEYS: meta, log
-- ARGV: epoch, offset and stamp to read after (offset -1: from the oldest; stamp -1: not to be verified), newest so many
--       (0: all), limit (0: none, -1: no entries), size and age in ms of the history (0: as stored), age of the metadata in ms (0: do not
--       begin one), bytes of payloads and metas (0: no limit), 1 for the messages before the offset (-1: from the newest), newest
--       first, age in ms of the metadata of a room without messages
-- Reply: epoch, offset and stamp of the newest, 1 for a gap, 1 for more, offset of the first entry in the list, how many entries of
-- the log were no messages and have been removed, entries. With a gap and a stamp to verify: of the place to read on from.
local since, offset, seen = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local newest, limit, size, age = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local space, back = tonumber(ARGV[9]), ARGV[10] == '1'
local time = redis.call('TIME')
local epoch, top, stamp, born, bytes
local function save()
  redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %.0f %.0f', epoch, top, stamp, born, bytes),
    'PX', top > 0 and ARGV[8] or ARGV[11])
end
local function begin()
  epoch = string.sub(redis.sha1hex(time[1] .. '.' .. time[2] .. KEYS[1]), 1, 12)
  born = top
  save()
end
-- A number in the head of an entry; 0 if it is no message.
local function head(entry, at)
  if not entry or #entry < 38 or string.byte(entry) ~= 2 then return 0 end
  return struct.unpack('>I8', entry, at)
end
local function number(index, at) return head(redis.call('LINDEX', KEYS[2], index), at) end

local meta = redis.call('GET', KEYS[1])
if meta then epoch, top, stamp, born, bytes = string.match(meta, '^(%S+) (%d+) (%d+) (%d+) (%d+)$') end
if epoch and #epoch == 12 then
  top, stamp, born, bytes = tonumber(top), tonumber(stamp), tonumber(born), tonumber(bytes)
  if ARGV[8] ~= '0' then redis.call('PEXPIRE', KEYS[1], top > 0 and ARGV[8] or ARGV[11]) end
elseif ARGV[8] == '0' then
  return {'', 0, 0, offset >= 0 and 1 or 0, 0, 0, 0, {}}
else
  redis.call('DEL', KEYS[2])
  top, stamp, bytes = 0, 0, 0
  begin()
end

-- The newest entry has the offset top, and those before it count down to the oldest. Where something else has got in
-- between, that is taken out; where the newest is missing, or one in between, those before cannot be placed. If the
-- log is ahead, the metadata is of another time, and its epoch is over.
local length, junk = redis.call('LLEN', KEYS[2]), 0
if length > 0 and (number(0, 3) ~= top - length + 1 or number(-1, 3) ~= top) then
  local want, index = top, length - 1
  while index >= 0 do
    local entry = redis.call('LINDEX', KEYS[2], index)
    local at = head(entry, 3)
    if at == want and want > 0 then
      want = want - 1
    elseif at == 0 then
      redis.call('LSET', KEYS[2], index, '')
      bytes = bytes - #entry
      junk = junk + 1
    else
      if at > top then begin() end
      break
    end
    index = index - 1
  end
  while index >= 0 do
    bytes = bytes - #redis.call('LPOP', KEYS[2])
    index = index - 1
  end
  redis.call('LREM', KEYS[2], 0, '')
  length = redis.call('LLEN', KEYS[2])
  bytes = length > 0 and math.max(bytes, 0) or 0
  redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %.0f %.0f', epoch, top, stamp, born, bytes), 'KEEPTTL')
end

local base = top - length
local from = base + 1
if age > 0 and length > 0 then
  local cutoff = time[1] * 1000000 + time[2] - age * 1000
  if number(0, 11) <= cutoff then
    local dead, alive = 0, length
    while alive - dead > 1 do
      local middle = math.floor((dead + alive) / 2)
      if number(middle, 11) <= cutoff then dead = middle else alive = middle end
    end
    from = base + alive + 1
  end
end
if size > 0 and top - from >= size then from = top - size + 1 end

local to, more = top, 0
if back then
  if offset >= 0 then
    if since ~= epoch then return {epoch, top, stamp, 1, 0, 0, junk, {}} end
    to = math.min(top, offset - 1)
  end
  if limit > 0 and to - from >= limit then from, more = to - limit + 1, 1 end
elseif offset >= 0 then
  if since == '' then since = epoch end -- the asker saw the room before its first message
  if seen >= 0 and since == epoch then
    -- The asker had the message at offset, with this stamp. If it is not the one stored, or not stored, a
    -- server took over that had not got it: no position of this epoch can be trusted any more.
    local here = offset <= top
    if offset == top then here = seen == stamp
    elseif here and offset >= base then here = number(offset - base, 19) == seen end
    if not here then begin() end
  end
  if since ~= epoch or offset > top or offset + 1 < from then
    if since ~= epoch and born >= from then from = born + 1 end
    if seen >= 0 and from <= top then
      -- What is left comes after the gap.
      return {epoch, from - 1, number(from - base - 1, 19), 1, 1, 0, junk, {}}
    end
    return {epoch, top, stamp, 1, 0, 0, junk, {}}
  end
  from = offset + 1
end
if not back then
  if newest > 0 and top - from >= newest then from = top - newest + 1 end
  if limit > 0 and to - from >= limit then to, more = from + limit - 1, 1 end
end
if from > to or limit < 0 then return {epoch, top, stamp, 0, 0, 0, junk, {}} end
if space == 0 and not back then
  return {epoch, top, stamp, 0, more, from, junk, redis.call('LRANGE', KEYS[2], from - base - 1, to - base - 1)}
end

-- As many as fit, from where the asker begins: one first, and then as many at a time as seem to.
if space == 0 then space = math.huge end
local list, first, used, step = {}, back and to or from, 0, 1
while from <= to do
  local n = math.min(step, to - from + 1)
  local at = back and to - n + 1 or from
  local some = redis.call('LRANGE', KEYS[2], at - base - 1, at + n - base - 2)
  for i = 1, #some do
    local entry = some[back and #some + 1 - i or i]
    local payload = #entry - 38
    local flags = string.byte(entry, 2)
    if payload >= 4 and math.floor(flags / 2) % 2 == 1 and math.floor(flags / 8) % 2 == 0 then
      payload = payload - 4 - struct.unpack('>I4', entry, 39)
    end
    used = used + math.max(payload, 0)
    if used > space and #list > 0 then return {epoch, top, stamp, 0, 1, first, junk, list} end
    list[#list + 1] = entry
  end
  if back then to = to - #some else from = from + #some end
  if #some == 0 or used >= space then break end
  step = math.max(1, math.min(2 * step, math.floor((space - used) * #list / math.max(used, 1))))
end
return {epoch, top, stamp, 0, (more == 1 or from <= to) and 1 or 0, first, junk, list}
