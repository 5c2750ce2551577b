import type { Connection } from "./connection.js";
/**
 * Tells the connection of the page. A page that goes closes its connection, without which the browser may keep it in its back/forward
 * cache; one that comes back connects again. `save` is called whenever the page may not come back.
 */
export declare function watchPage({ network, reconnect, wake }: Connection, save: () => void): void;
