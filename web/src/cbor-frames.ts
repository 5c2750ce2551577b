// Frames in CBOR (RFC 8949), as PROTOCOL.md has them, from JSON and to it.

const UINT = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const DEPTH = 4; // of maps and arrays

/** Returns bytes in base64: what `bin` of a publication takes. */
export function toBase64(bytes: Uint8Array): string {
  let s = "";
  for (let i = 0; i < bytes.length; i += 0x8000) s += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(s);
}

/** Returns the bytes of a base64 text: of `bin` of a message. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

type Fields = Readonly<Record<string, unknown>>;

/** Returns a frame, which is JSON, in CBOR. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  const utf8 = new TextEncoder();
  let out = new Uint8Array(text.length + 64);
  let end = 0;

  const reserve = (n: number) => {
    if (end + n <= out.length) return;
    const larger = new Uint8Array(2 * (end + n));
    larger.set(out);
    out = larger;
  };

  const head = (major: number, n: number) => {
    reserve(9);
    const first = major << 5;
    const view = new DataView(out.buffer);
    if (n < 24) out[end++] = first | n;
    else if (n < 0x100) {
      out[end++] = first | 24;
      out[end++] = n;
    } else if (n < 0x10000) {
      out[end] = first | 25;
      view.setUint16(end + 1, n);
      end += 3;
    } else if (n < 2 ** 32) {
      out[end] = first | 26;
      view.setUint32(end + 1, n);
      end += 5;
    } else {
      out[end] = first | 27;
      view.setBigUint64(end + 1, BigInt(n));
      end += 9;
    }
  };

  const raw = (major: number, p: Uint8Array) => {
    head(major, p.length);
    reserve(p.length);
    out.set(p, end);
    end += p.length;
  };

  const string = (s: string) => raw(TEXT, utf8.encode(s));

  const number = (v: number) => {
    if (Number.isSafeInteger(v) && v >= 0) return head(UINT, v);
    reserve(9);
    out[end] = 0xfb;
    new DataView(out.buffer).setFloat64(end + 1, v);
    end += 9;
  };

  const value = (v: unknown, path: string) => {
    if (typeof v === "string") string(v);
    else if (typeof v === "number") number(v);
    else if (typeof v !== "object" || !v) {
      reserve(1);
      out[end++] = v ? 0xf5 : v === false ? 0xf4 : 0xf6;
    } else if (Array.isArray(v)) {
      head(ARRAY, v.length);
      for (const item of v) value(item, path + "[]");
    } else {
      const entries = Object.entries(v as Fields);
      head(MAP, entries.length);
      for (const [key, item] of entries) field(key, item, path + "." + key);
    }
  };

  const field = (key: string, v: unknown, path: string) => {
    const binary = path === ".bin";
    string(binary ? "data" : key);
    if (binary) raw(BYTES, fromBase64(v as string));
    else if (embedded(path)) string(JSON.stringify(v));
    else value(v, path);
  };

  value(JSON.parse(text), "");
  return out.slice(0, end);
}

// A value of the application is a text string that holds its JSON.
const embedded = (path: string) => path === ".data" || path === ".from.info";

/** Returns a frame, which is CBOR, as JSON. It throws if it cannot be read. */
export function decode(p: Uint8Array): string {
  const view = new DataView(p.buffer, p.byteOffset, p.length); // which throws beyond the end
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let at = 0;

  const fail = (): never => {
    throw new Error("not CBOR at byte " + at);
  };

  // The argument of a head.
  const argument = (low: number): number => {
    if (low < 24) return low;
    const size = 1 << (low - 24);
    const from = at;
    at += size;
    if (size === 1) return view.getUint8(from);
    if (size === 2) return view.getUint16(from);
    if (size === 4) return view.getUint32(from);
    const n = size === 8 ? Number(view.getBigUint64(from)) : fail();
    return Number.isSafeInteger(n) ? n : fail();
  };

  const bytes = (low: number): Uint8Array => {
    const n = argument(low);
    if (n > p.length - at) fail();
    return p.subarray(at, (at += n));
  };

  const first = () => {
    const b = view.getUint8(at++);
    return [b >> 5, b & 31] as const;
  };

  const key = (): string => {
    const [major, low] = first();
    return major === TEXT ? utf8.decode(bytes(low)) : fail();
  };

  const half = (): number => {
    const bits = view.getUint16(at);
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const v = exponent === 31 ? NaN : exponent ? (fraction + 1024) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    return bits >> 15 ? -v : v;
  };

  const simple = (low: number): string => {
    const from = at;
    if (low === 20) return "false";
    if (low === 21) return "true";
    if (low === 22) return "null";
    const v = low === 25 ? half() : low === 26 ? view.getFloat32(from) : low === 27 ? view.getFloat64(from) : fail();
    at += 1 << (low - 24);
    return Number.isFinite(v) ? String(v) : fail();
  };

  const list = (low: number, depth: number, one: () => string): string => {
    const n = argument(low);
    if (depth >= DEPTH || n > p.length - at) fail();
    return Array.from({ length: n }, one).join();
  };

  const value = (path: string, depth: number): string => {
    const [major, low] = first();
    if (major === UINT) return String(argument(low));
    if (major === TEXT) {
      const text = utf8.decode(bytes(low));
      return embedded(path) ? text : JSON.stringify(text);
    }
    if (major === ARRAY) return "[" + list(low, depth, () => value(path + "[]", depth + 1)) + "]";
    if (major === MAP) {
      const field = () => {
        const name = key();
        const inner = path + "." + name;
        if (inner !== ".data" || p[at]! >> 5 !== BYTES) return JSON.stringify(name) + ":" + value(inner, depth + 1);
        return '"bin":"' + toBase64(bytes(first()[1])) + '"';
      };
      return "{" + list(low, depth, field) + "}";
    }
    return major === 7 ? simple(low) : fail();
  };

  const text = value("", 0);
  return at === p.length && text.startsWith("{") ? text : fail();
}
