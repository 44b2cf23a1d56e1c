import assert from "node:assert/strict";
import { test } from "node:test";
import { assertOrder, moduleList, type KernelModule } from "./kernel.ts";

function module(name: string, platforms: KernelModule["platforms"], depends = ""): KernelModule {
  return { name, platforms, data: Buffer.from(`ELF\0license=GPL\0depends=${depends}\0name=${name}\0`, "latin1") };
}

test("a module after everything it needs, on every platform it is for", () => {
  assertOrder([
    module("vsock", "all"),
    module("virtio-common", "all", "vsock"),
    module("tsm", ["sev-snp", "tdx"]),
    module("sev-guest", ["sev-snp"], "tsm,virtio_common"),
  ]);
});

test("a module before what it needs, or for a platform that lacks it, stops the build", () => {
  assert.throws(() => assertOrder([module("b", "all", "a"), module("a", "all")]), {
    code: "IMAGE_INPUT_INVALID",
    message: /b needs a/,
  });
  assert.throws(() => assertOrder([module("a", ["tdx"]), module("b", "all", "a")]), { code: "IMAGE_INPUT_INVALID" });
  assert.throws(() => assertOrder([module("a", ["tdx"]), module("b", ["tdx", "sev-snp"], "a")]), {
    code: "IMAGE_INPUT_INVALID",
  });
});

test("PID 1's list has a line for each platform, in order", () => {
  assert.equal(
    moduleList([module("vsock", "all"), module("tsm", ["sev-snp", "tdx"])]),
    "all /lib/modules/vsock.ko\nsev-snp /lib/modules/tsm.ko\ntdx /lib/modules/tsm.ko\n",
  );
});
