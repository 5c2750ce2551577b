package protocol

// ResumeParam is the query parameter of the handshake, with the value 1, by which a client says that it had a
// connection before and comes back to it. A server that cannot take all at once takes these first. It is the
// client's own claim: it gives an earlier place, and no right.
const ResumeParam = "hubkit_resume"
