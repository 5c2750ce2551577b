package protocol

import "strconv"

// CloseCode is the status code of a WebSocket close frame (RFC 6455, section 7.4, and the IANA
// registry). It decides whether the client reconnects.
type CloseCode uint16

// Close codes of the RFC and the registry.
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

// Close codes of hubkit. After 4000–4099 the client reconnects. After 4100–4199 it does not.
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
	{CloseNormal, "normal", false, "the connection is no longer needed"},
	{CloseGoingAway, "going away", true, "the server is shutting down"},
	{CloseProtocolError, "protocol error", false, "the client broke the WebSocket protocol"},
	{CloseUnsupportedData, "unsupported data", false, "the client sent a binary frame"},
	{CloseNoStatus, "no status", true, "the close frame carried no code; never sent"},
	{CloseAbnormal, "abnormal", true, "the connection was lost without a close frame; never sent"},
	{CloseInvalidPayload, "invalid payload", false, "the client sent text that is not UTF-8"},
	{ClosePolicyViolation, "policy violation", false, "the server does not accept this client; hubkit does not send it"},
	{CloseTooBig, "too big", false, "the client sent a message larger than the server accepts"},
	{CloseMissingExt, "missing extension", false, "sent by clients only"},
	{CloseInternal, "internal error", true, "the server failed, or closed with a code that must not be sent"},
	{CloseServiceRestart, "service restart", true, "the server restarts"},
	{CloseTryAgainLater, "try again later", true, "the server accepts no more connections for now, in all or of this user; or it is short of memory, and this connection held much of it"},
	{CloseBadGateway, "bad gateway", true, "a proxy could not reach the server; hubkit does not send it"},
	{CloseTLSHandshake, "TLS handshake", true, "the TLS handshake failed; never sent"},

	{CloseReconnect, "reconnect", true, "the server asks the client to reconnect"},
	{CloseSlowConsumer, "slow consumer", true, "the client is a slow consumer: its backlog was full, or too large for the server's memory"},
	{CloseHeartbeatTimeout, "heartbeat timeout", true, "the client did not answer a ping in time"},
	{CloseRateLimited, "rate limited", true, "the client continued to exceed its rate"},
	{CloseHandlerPanic, "handler panic", true, "the application failed while it handled a frame of this connection"},
	{CloseHelloTimeout, "hello timeout", true, "the client did not send hello in time"},
	{CloseMaxAge, "maximum age", true, "the connection has reached its maximum age"},
	{CloseIdle, "idle", true, "the client was idle for longer than the server allows"},
	{CloseWriteTimeout, "write timeout", true, "the network accepted no data for longer than the server waits"},
	{CloseTokenExpired, "token expired", true, "the token is no longer valid; reconnect with a new one"},

	{CloseUnauthorized, "unauthorized", false, "the client is not authenticated"},
	{CloseForbidden, "forbidden", false, "the client may not connect"},
	{CloseDisconnected, "disconnected", false, "the application closed the connection, or another connection of the same user replaced it"},
	{CloseHelloExpected, "hello expected", false, "the first frame was not a valid hello"},
}

func (c CloseCode) info() (closeInfo, bool) {
	for _, e := range closeTable {
		if e.code == c {
			return e, true
		}
	}
	return closeInfo{}, false
}

// String returns the number and the name, such as "4001 slow consumer". For a code that is not listed it returns the
// number alone.
func (c CloseCode) String() string {
	n := strconv.Itoa(int(c))
	if e, ok := c.info(); ok {
		return n + " " + e.name
	}
	return n
}

// Explain returns a sentence about the code, and "" for a code that is not listed.
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

// Reconnect reports whether the client should reconnect by itself. A listed code has its own answer. Of all other
// codes, 4000–4099 allow a reconnect. The rest of 3000–4999, the application's own, do not. The remaining codes,
// which no server may send today, allow one.
func (c CloseCode) Reconnect() bool {
	if e, ok := c.info(); ok {
		return e.reconnect
	}
	return c < 3000 || c >= 4000 && c < 4100 || c >= 5000
}
