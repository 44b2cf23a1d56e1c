/**
 * The parts of undici that are used, by file: its index would bring fetch, caches, mocks and WebSockets
 * into the enclave.
 */
import type { Client as ClientType, Pool as PoolType, errors as Errors } from "undici";
// @ts-expect-error undici types its index only; the types are taken from there.
import PoolUntyped from "undici/lib/dispatcher/pool.js";
// @ts-expect-error as above.
import ClientUntyped from "undici/lib/dispatcher/client.js";
// @ts-expect-error as above.
import errorsUntyped from "undici/lib/core/errors.js";

export const Pool = PoolUntyped as typeof PoolType;
export type Pool = PoolType;
export type { Dispatcher } from "undici";
export const Client = ClientUntyped as typeof ClientType;
export const errors = errorsUntyped as typeof Errors;
