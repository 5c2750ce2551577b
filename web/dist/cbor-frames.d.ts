/** Returns bytes in base64: what `bin` of a publication takes. */
export declare function toBase64(bytes: Uint8Array): string;
/** Returns the bytes of a base64 text: of `bin` of a message. */
export declare const fromBase64: (text: string) => Uint8Array<ArrayBuffer>;
/** Returns a frame, which is JSON, in CBOR. */
export declare function encode(text: string): Uint8Array<ArrayBuffer>;
/** Returns a frame, which is CBOR, as JSON. It throws if it cannot be read. */
export declare function decode(p: Uint8Array): string;
