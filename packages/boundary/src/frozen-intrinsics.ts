/**
 * Freezes what the language gives every program, for the thread that loads this module first: nothing loaded later
 * can change what `JSON.parse`, `Array.prototype.push` or `Promise.prototype.then` mean. Values stay values, other
 * than with Node's own flag for this, which makes each an accessor (docs/decisions/frozen-intrinsics.md).
 */

/** What Node gives besides the language and other code calls by its global name. */
const HOST_GLOBALS = [
  "console",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "queueMicrotask",
  "structuredClone",
  "atob",
  "btoa",
] as const;
/** What the language gives, by its global name (ECMA-262 section 19, ECMA-402, WebAssembly). */
const LANGUAGE_GLOBALS = [
  "AggregateError",
  "Array",
  "ArrayBuffer",
  "AsyncDisposableStack",
  "Atomics",
  "BigInt",
  "BigInt64Array",
  "BigUint64Array",
  "Boolean",
  "DataView",
  "Date",
  "DisposableStack",
  "Error",
  "EvalError",
  "FinalizationRegistry",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "Function",
  "Int16Array",
  "Int32Array",
  "Int8Array",
  "Intl",
  "Iterator",
  "JSON",
  "Map",
  "Math",
  "Number",
  "Object",
  "Promise",
  "Proxy",
  "RangeError",
  "ReferenceError",
  "Reflect",
  "RegExp",
  "Set",
  "SharedArrayBuffer",
  "String",
  "SuppressedError",
  "Symbol",
  "SyntaxError",
  "TypeError",
  "URIError",
  "Uint16Array",
  "Uint32Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "WeakMap",
  "WeakRef",
  "WeakSet",
  "WebAssembly",
  "decodeURI",
  "decodeURIComponent",
  "encodeURI",
  "encodeURIComponent",
  "escape",
  "eval",
  "isFinite",
  "isNaN",
  "parseFloat",
  "parseInt",
  "unescape",
] as const;

/**
 * Whose members code elsewhere gives objects of its own by assignment: `error.name = …`, or a map's key that happens to
 * be `constructor`. A frozen value would make that assignment throw, so these members take it through a setter.
 */
const OVERRIDDEN: readonly object[] = [
  Object,
  Function,
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SuppressedError,
  SyntaxError,
  TypeError,
  URIError,
].map((constructor) => constructor.prototype);

/** Objects that no global names. */
function unnamed(): unknown[] {
  function* generator(): Generator<undefined> {}
  async function* asyncGenerator(): AsyncGenerator<undefined> {}
  const instances: object[] = [
    generator,
    asyncGenerator,
    async () => {},
    generator(),
    asyncGenerator(),
    [].values(),
    ""[Symbol.iterator](),
    new Map().values(),
    new Set().values(),
    "".matchAll(/./g),
    Iterator.from({ next: () => ({ done: true, value: undefined }) }),
    [].values().map(String),
  ];
  return instances.map((instance) => Reflect.getPrototypeOf(instance));
}

/**
 * Makes a member that gives its value and takes assignments on the objects that inherit it, and none itself; its two
 * functions.
 */
function settable(holder: object, name: PropertyKey, value: unknown, enumerable: boolean): readonly object[] {
  const get = (): unknown => value;
  const set = function (this: object, next: unknown): void {
    if (this === holder) throw new TypeError(`${String(name)} of an intrinsic cannot be changed`);
    if (Object.hasOwn(this, name)) Reflect.set(this, name, next);
    else Object.defineProperty(this, name, { value: next, writable: true, enumerable: true, configurable: true });
  };
  Object.defineProperty(holder, name, { configurable: false, enumerable, get, set });
  return [get, set];
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function freezeFrom(roots: readonly unknown[]): void {
  const found = new Set<object>();
  const waiting: object[] = [];
  const add = (value: unknown): void => {
    if (!isObject(value) || found.has(value)) return;
    found.add(value);
    waiting.push(value);
  };
  for (const root of roots) add(root);
  for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
    add(Reflect.getPrototypeOf(object));
    const overridden = OVERRIDDEN.includes(object);
    for (const key of Reflect.ownKeys(object)) {
      const {
        value,
        enumerable = false,
        configurable = false,
        get,
        set,
      } = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
      add(value);
      add(get);
      add(set);
      if (overridden && configurable && value !== undefined)
        for (const accessor of settable(object, key, value, enumerable)) add(accessor);
    }
  }
  for (const object of found) Object.freeze(object);
}

freezeFrom([...[...LANGUAGE_GLOBALS, ...HOST_GLOBALS].map((name) => Reflect.get(globalThis, name)), ...unnamed()]);
