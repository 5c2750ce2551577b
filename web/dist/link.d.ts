/** What a tab sends. `at` is when. */
export type Up = {
    readonly link: string;
    readonly at: number;
    readonly relay?: string | undefined;
} & ({
    readonly open: string;
} | {
    readonly text: string;
} | {
    readonly confirm: true;
} | {
    readonly end: true;
});
/** What a relay sends: to some links, or to all tabs. */
export type Down = {
    readonly relay: string;
} & ({
    readonly links: readonly string[];
    readonly text?: string;
    readonly open?: true;
    readonly close?: readonly [code: number, reason: string];
    /** The links that confirm what they have read. */
    readonly mark?: readonly string[];
}
/** The relay connects: tabs that wait for it need not wait any longer. */
 | {
    readonly dial: true;
}
/** There is a new relay. */
 | {
    readonly leads: true;
});
/** The limits of a link. */
export declare const ROOMY: {
    message: number;
    rate: number;
    burst: number;
};
/** Makes the frame that tells a tab of an error. */
export declare function errorFrame(error: unknown, id?: number, room?: string, op?: string): object;
/** The address of a hub, of which a link's says also which ticket it has. */
export declare function base(address: string): string;
