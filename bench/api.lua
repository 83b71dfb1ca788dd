-- One kind of request for wrk, and what came of it as one line of JSON.
-- args: BODY, in which %d stands for the number of a job from 1 to JOBS; and
-- a FILE of signed requests, each answered once, instead of these: lines of
-- TIMESTAMP NONCE APP_KEY SIGNATURE BODY with tabs between.
local template, jobs
local signed, nsigned, at = {}, 0, 0

local function read_signed(name)
	for line in io.lines(name) do
		local t, n, k, s, body = string.match(line,
		    "([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)")
		nsigned = nsigned + 1
		signed[nsigned] = wrk.format(nil, nil, {
			["Content-Type"] = "application/json",
			["Host"] = wrk.headers["Host"],
			TIMESTAMP = t, NONCE = n, APP_KEY = k, SIGNATURE = s
		}, body)
	end
end

function init(args)
	template = args[1]
	jobs = tonumber(args[2])
	math.randomseed(7)
	wrk.method = template == "" and "GET" or "POST"
	wrk.headers["Content-Type"] = "application/json"
	if args[3] then
		read_signed(args[3])
	end
end

function request()
	if nsigned > 0 then
		at = at + 1
		if at >= nsigned then
			wrk.thread:stop()
		end
		return signed[math.min(at, nsigned)]
	end
	if template == "" then
		return wrk.format()
	end
	local body = string.gsub(template, "%%d",
	    string.format("%010d", math.random(jobs)))
	return wrk.format(nil, nil, nil, body)
end

function done(summary, latency, requests)
	local n = summary.errors.connect + summary.errors.read +
	    summary.errors.write + summary.errors.timeout + summary.errors.status
	print(string.format(
	    '{"rate": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d, "bytes": %d, "requests": %d}',
	    summary.requests / (summary.duration / 1e6),
	    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, n,
	    summary.bytes / math.max(summary.requests, 1), summary.requests))
end
