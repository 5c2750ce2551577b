// What passes between a tab and the relay. A link is what a tab takes for a WebSocket.

import type { HubError } from "./errors.js";

/** What a tab sends. `at` is when. */
export type Up = { readonly link: string; readonly at: number; readonly relay?: string | undefined } & (
  { readonly open: string } | { readonly text: string } | { readonly confirm: true } | { readonly end: true }
);

/** What a relay sends: to some links, or to all tabs. */
export type Down = { readonly relay: string } & (
  | {
      readonly links: readonly string[];
      readonly text?: string;
      readonly open?: true;
      readonly close?: readonly [code: number, reason: string];
      /** The links that confirm what they have read. */
      readonly mark?: readonly string[];
    }
  /** The relay connects: tabs that wait for it need not wait any longer. */
  | { readonly dial: true }
  /** There is a new relay. */
  | { readonly leads: true }
);

/** The limits of a link. */
export const ROOMY = { message: 2 ** 40, rate: 1e6, burst: 1e6 };

/** Makes the frame that tells a tab of an error. */
export function errorFrame(error: unknown, id?: number, room?: string, op = "error"): object {
  const { code, message, retryAfter, ...more } = error as HubError;
  return {
    op,
    id,
    room: more.room ?? room,
    code: (code as string | undefined) ?? "bad_request",
    message,
    retry_after_ms: retryAfter || undefined,
  };
}

/** The address of a hub, of which a link's says also which ticket it has. */
export function base(address: string): string {
  const url = new URL(address);
  url.searchParams.delete("hubkit_resume");
  return url.href;
}
