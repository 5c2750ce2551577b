type Value<F> = F extends ((value: infer V) => void) | undefined ? V : never;
export type Emitter<H extends object> = ReturnType<typeof createEmitter<H>>;
/** Makes a set of handlers. */
export declare function createEmitter<H extends object>(): {
    emit: <K extends keyof H>(name: K, value: Value<H[K]>) => boolean;
    /** Adds handlers, and returns what takes them away. */
    on: (handlers: H) => (() => void);
    /** Calls the handlers of what must not pass in silence. */
    tell<K extends keyof H>(name: K, value: Value<H[K]>): void;
};
export {};
