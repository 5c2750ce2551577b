export { connect } from "./hub.js";
export { persist } from "./persist.js";
export { HubError } from "./errors.js";
export type * from "./types.js";
