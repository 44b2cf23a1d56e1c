/**
 * What an agent's HTTP request is answered with: a plain record, because making a web `Response` and reading its stream
 * back is a noticeable part of a call.
 */
export interface HttpResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** All of it, or as it comes; `null` for none. Leaving it early says that nobody reads on. */
  readonly body: string | AsyncIterable<Uint8Array> | null;
}
