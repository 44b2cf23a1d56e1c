/**
 * Takes from the thread that loads this module what makes code of text: `eval`, and the constructors of the four kinds of
 * functions by whatever path. V8's own flag does the same, but for a thread that starts while it is set Node compiles
 * every part of itself anew (docs/decisions/embedded-code.md), so a thread may have this alone.
 */

function refused(): never {
  throw new EvalError("code generation from strings is disallowed");
}

type Constructor = (new (...text: string[]) => unknown) & { readonly prototype: object };

/** Stands where `constructor` stood: what it made is still an instance, and it makes nothing. */
function replace(constructor: Constructor): Constructor {
  const standIn = function (): never {
    return refused();
  };
  Object.defineProperty(standIn, "name", { value: constructor.name });
  Object.defineProperty(standIn, "prototype", { value: constructor.prototype, writable: false });
  Object.defineProperty(constructor.prototype, "constructor", { value: standIn });
  return standIn as unknown as Constructor;
}

const replaced = replace(Function);
for (const made of [async () => {}, function* () {}, async function* () {}]) {
  // nosemgrep: no-prototype-writes — both are functions of this module; the other kinds inherit from Function, as they did
  Object.setPrototypeOf(replace(made.constructor as Constructor), replaced);
}
Object.defineProperty(globalThis, "Function", { value: replaced });
Object.defineProperty(globalThis, "eval", { value: refused });
