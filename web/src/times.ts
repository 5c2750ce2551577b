// How long the client waits, in milliseconds. A bundler puts constants that come before everything else in their places.

export const HANDSHAKE = 1e4; // from the token to the welcome
export const PING = 25e3; // the interval of a server that names none
export const PONG = 1e4;
export const QUICK_PONG = 5e3; // of a connection that there is a reason to doubt
export const LAST_ANSWERS = 5e3; // after a goaway
export const ONLINE = 2e3; // the window of attempts after the network is back
export const PATIENCE = 24e4; // with a server that refuses a request for its rate
export const NEVER = 36e5;
export const REJOIN = 1e3; // the delay of a server that names none
export const RENEW_AHEAD = 6e4; // of a token's end, or a quarter of the time if that is less
export const RENEW_AGAIN = 2e3; // after a token could not be had
export const SAVE = 1e3; // how often positions are written, at most
