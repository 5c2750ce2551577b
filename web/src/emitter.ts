type Value<F> = F extends ((value: infer V) => void) | undefined ? V : never;

export type Emitter<H extends object> = ReturnType<typeof createEmitter<H>>;

/** Makes a set of handlers. */
export function createEmitter<H extends object>() {
  const all = new Set<H>();

  /** Calls the handlers of a name, and reports whether there was one. An exception is reported, and stops no other handler. */
  const emit = <K extends keyof H>(name: K, value: Value<H[K]>): boolean => {
    let found = false;
    for (const handlers of all) {
      if (!handlers[name]) continue;
      found = true;
      try {
        (handlers[name] as (value: unknown) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return found;
  };

  return {
    emit,

    /** Adds handlers, and returns what takes them away. */
    on: (handlers: H): (() => void) => {
      const own = { ...handlers }; // the same object may be added twice
      all.add(own);
      return () => void all.delete(own);
    },

    /** Calls the handlers of what must not pass in silence. */
    tell<K extends keyof H>(name: K, value: Value<H[K]>): void {
      if (!emit(name, value)) console.warn("hubkit:", value);
    },
  };
}
