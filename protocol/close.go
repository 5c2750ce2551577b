package protocol

import "strconv"

// CloseCode is the status code of a WebSocket close frame (RFC 6455, section 7.4, and the IANA
// registry). It says whether the client should come back.
type CloseCode uint16

// Codes of the RFC and the registry.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseNoStatus        CloseCode = 1005
	CloseAbnormal        CloseCode = 1006
	CloseInvalidPayload  CloseCode = 1007
	ClosePolicyViolation CloseCode = 1008
	CloseTooBig          CloseCode = 1009
	CloseMissingExt      CloseCode = 1010
	CloseInternal        CloseCode = 1011
	CloseServiceRestart  CloseCode = 1012
	CloseTryAgainLater   CloseCode = 1013
	CloseBadGateway      CloseCode = 1014
	CloseTLSHandshake    CloseCode = 1015
)

// Codes of hubkit. After 4000–4099 the client comes back, after 4100–4199 it does not.
const (
	CloseReconnect        CloseCode = 4000
	CloseSlowConsumer     CloseCode = 4001
	CloseHeartbeatTimeout CloseCode = 4002
	CloseRateLimited      CloseCode = 4003
	CloseHandlerPanic     CloseCode = 4004
	CloseHelloTimeout     CloseCode = 4005
	CloseMaxAge           CloseCode = 4006
	CloseIdle             CloseCode = 4007
	CloseWriteTimeout     CloseCode = 4008
	CloseTokenExpired     CloseCode = 4009

	CloseUnauthorized  CloseCode = 4100
	CloseForbidden     CloseCode = 4101
	CloseDisconnected  CloseCode = 4102
	CloseHelloExpected CloseCode = 4103
)

type closeInfo struct {
	code      CloseCode
	name      string
	reconnect bool
	explain   string
}

// closeTable is the only list of close codes; PROTOCOL.md is tested against it.
var closeTable = []closeInfo{
	{CloseNormal, "normal", false, "the connection has done what it was for"},
	{CloseGoingAway, "going away", true, "the server is shutting down"},
	{CloseProtocolError, "protocol error", false, "the client broke the WebSocket protocol"},
	{CloseUnsupportedData, "unsupported data", false, "the client sent a binary frame"},
	{CloseNoStatus, "no status", true, "the close frame carried no code; never sent"},
	{CloseAbnormal, "abnormal", true, "the connection was lost without a close frame; never sent"},
	{CloseInvalidPayload, "invalid payload", false, "the client sent text that is not UTF-8"},
	{ClosePolicyViolation, "policy violation", false, "the server does not take this client; hubkit does not use it"},
	{CloseTooBig, "too big", false, "the client sent a message larger than the server reads"},
	{CloseMissingExt, "missing extension", false, "sent by clients only"},
	{CloseInternal, "internal error", true, "the server failed, or closed with a code that must not be sent"},
	{CloseServiceRestart, "service restart", true, "the server restarts"},
	{CloseTryAgainLater, "try again later", true, "the server takes no more connections for now, or no more of this user, or is short of memory and this one held much of it"},
	{CloseBadGateway, "bad gateway", true, "a proxy could not reach the server; hubkit does not use it"},
	{CloseTLSHandshake, "TLS handshake", true, "the TLS handshake failed; never sent"},

	{CloseReconnect, "reconnect", true, "the server asks the client to connect again"},
	{CloseSlowConsumer, "slow consumer", true, "the client read more slowly than messages came, and its backlog was full, or too large for the server's memory"},
	{CloseHeartbeatTimeout, "heartbeat timeout", true, "the client did not answer a ping in time"},
	{CloseRateLimited, "rate limited", true, "the client went on sending more often than it may"},
	{CloseHandlerPanic, "handler panic", true, "the application failed while it handled a frame of this connection"},
	{CloseHelloTimeout, "hello timeout", true, "the client did not send hello in time"},
	{CloseMaxAge, "max age", true, "the connection is as old as the server lets one become"},
	{CloseIdle, "idle", true, "the client did nothing for longer than the server allows"},
	{CloseWriteTimeout, "write timeout", true, "the network took nothing for longer than the server waits"},
	{CloseTokenExpired, "token expired", true, "the token is no longer valid; come back with a new one"},

	{CloseUnauthorized, "unauthorized", false, "the server does not know who the client is"},
	{CloseForbidden, "forbidden", false, "the client may not connect"},
	{CloseDisconnected, "disconnected", false, "the application ended the connection, or another of the same user has taken its place"},
	{CloseHelloExpected, "hello expected", false, "the first frame was not a hello the server could read"},
}

func (c CloseCode) info() (closeInfo, bool) {
	for _, e := range closeTable {
		if e.code == c {
			return e, true
		}
	}
	return closeInfo{}, false
}

// String returns number and name, such as "4001 slow consumer", and the number alone for a code
// that is not listed.
func (c CloseCode) String() string {
	n := strconv.Itoa(int(c))
	if e, ok := c.info(); ok {
		return n + " " + e.name
	}
	return n
}

// Explain says in a sentence what the code means, and "" for a code that is not listed.
func (c CloseCode) Explain() string {
	e, _ := c.info()
	return e.explain
}

// Sendable reports whether a close frame may carry the code: 1000–1003, 1007–1014 and 3000–4999 (RFC 6455, section 7.4,
// and the IANA registry).
func (c CloseCode) Sendable() bool {
	switch {
	case c < CloseNormal, c > 4999:
		return false
	case c <= CloseUnsupportedData, c >= 3000:
		return true
	}
	return c >= CloseInvalidPayload && c <= CloseBadGateway
}

// Reconnect reports whether the client should come back by itself. It has an answer for every
// code: a listed one says; of the others 4000–4099 come back, the rest of 3000–4999 (the
// application's own) do not, and all that remain, which no server may send today, come back.
func (c CloseCode) Reconnect() bool {
	if e, ok := c.info(); ok {
		return e.reconnect
	}
	return c < 3000 || c >= 4000 && c < 4100 || c >= 5000
}
