/** What a blank line ends. Without data it is no event: it may have a new id, or be a comment. */
export interface ServerEvent {
    readonly type: string;
    /** The id, if this block has one. */
    readonly id: string | undefined;
    readonly data: string | undefined;
}
/** Reads the events of a body. What is not ended by a blank line is dropped. */
export declare function readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent>;
