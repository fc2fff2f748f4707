-- Finds the count of attempts in a JSON payload, so that a script can change its digits and leave every other byte alone.
-- Put in front of the scripts that need it; defines locate(body, largest count) -> offset from 0, length, value, or nil
-- and a reason, and counted(body, offset, length, value) -> the body with this count.
-- What the stock script of Laravel can count, this can count; what stock would lose on, this gives a reason for.

local function position_of_last_attempts(body)
  -- The two tails that Laravel writes. The body is known to be a JSON object, so its last brace closes the top level,
  -- and a quote after a comma or brace can only open a key.
  local from, to = string.match(body, '[{,]"attempts":()%d+()}$')
  if from == nil then
    from, to = string.match(body, '[{,]"attempts":()%d+(),"delay":%d+}$')
  end
  if from == nil then
    from, to = string.match(body, '[{,]"attempts":()%d+(),"delay":null}$')
  end
  if from ~= nil then
    return from, to
  end
  -- Any other order: walk the structure, jumping over strings and whatever is nested.
  local depth, at, size = 0, 1, #body
  local key_from, value_from, is_key = nil, nil, false
  while at <= size do
    local next_at = string.find(body, '["{}%[%],:]', at)
    if next_at == nil then
      break
    end
    local char = string.byte(body, next_at)
    if char == 34 then
      local close = next_at + 1
      while true do
        close = string.find(body, '["\\]', close)
        if string.byte(body, close) == 34 then
          break
        end
        close = close + 2
      end
      if depth == 1 and value_from == nil then
        local text = string.sub(body, next_at, close)
        is_key = text == '"attempts"' or (string.find(text, '\\', 1, true) and cjson.decode('[' .. text .. ']')[1] == 'attempts')
      end
      at = close + 1
    else
      if char == 123 or char == 91 then
        depth = depth + 1
      elseif char == 58 then
        if depth == 1 then
          value_from = next_at + 1
        end
      elseif depth == 1 then
        -- A comma or the last brace: the end of a top-level value.
        if is_key and value_from ~= nil then
          from, to = value_from, next_at
        end
        value_from, is_key = nil, false
      end
      if char == 125 or char == 93 then
        depth = depth - 1
      end
      at = next_at + 1
    end
  end
  if from ~= nil then
    from = string.find(body, '[^ \t\r\n]', from)
    while string.find(string.sub(body, to - 1, to - 1), '[ \t\r\n]') do
      to = to - 1
    end
  end
  return from, to
end

local function locate(body, most)
  local readable, job = pcall(cjson.decode, body)
  if not readable then
    return nil, 'not JSON that PHP and Redis can read: ' .. tostring(job)
  end
  if type(job) ~= 'table' or string.find(body, '^%s*{') == nil then
    return nil, 'not a JSON object'
  end
  local attempts = job['attempts']
  local count = (type(attempts) == 'number' or type(attempts) == 'string') and tonumber(attempts) or nil
  if attempts == nil then
    return nil, 'no attempts'
  elseif count == nil or count ~= math.floor(count) or math.abs(count) > most then
    return nil, 'attempts is not a whole number'
  end
  local from, to = position_of_last_attempts(body)
  return from - 1, to - from, count
end

local function counted(body, at, length, count)
  return string.sub(body, 1, at) .. string.format('%d', count) .. string.sub(body, at + length + 1)
end
