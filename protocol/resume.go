package protocol

// ResumeParam is the query parameter of the handshake with which a client sends the ticket of its last welcome. A server
// that cannot take all at once takes clients with a valid ticket first. A ticket gives an earlier place, and no right.
const ResumeParam = "hubkit_resume"

// ExplainParam is the query parameter by which a client asks, with a value of 1 and a GET that is no handshake, how a handshake
// would be answered. A browser tells a page nothing of a refused one.
const ExplainParam = "hubkit_explain"

// MaxTicket is the longest ticket of a welcome, in bytes. It needs no escaping in a URL.
const MaxTicket = 128
