/** Returns what to call with the port of each tab that comes. */
export declare function serveTabs(): (port: MessagePort) => void;
