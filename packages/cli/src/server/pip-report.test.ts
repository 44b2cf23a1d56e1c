import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { consoleScripts, normalName, readPipReport, requirementsOf } from "./pip-report.ts";

const SHA256 = "a".repeat(64);
interface Wheel {
  readonly url?: string;
  readonly direct?: boolean;
  readonly sha256?: string;
}
const reportOf = ({ url = "https://index.example/a-1-py3-none-any.whl", direct = false, sha256 = SHA256 }: Wheel) =>
  JSON.stringify({
    version: "1",
    install: [
      {
        metadata: { name: "a", version: "1" },
        is_direct: direct,
        download_info: { url, archive_info: { hashes: { sha256 } } },
      },
    ],
  });

test("a wheel of the index is a requirement with its hash", () => {
  const packages = readPipReport(reportOf({}));
  assert.equal(requirementsOf(packages), `a==1 --hash=sha256:${SHA256}\n`);
});

test("source distributions, direct references and packages without a hash are refused by name", () => {
  for (const wheel of [
    { url: "https://index.example/a-1.tar.gz" },
    { direct: true },
    { sha256: "" },
    { sha256: `${SHA256}\n--index-url` },
  ])
    assert.throws(() => readPipReport(reportOf(wheel)), { code: "PACKAGE_REFUSED", message: /"a"/ });
  assert.throws(() => readPipReport('{"version":"2","install":[]}'), { code: "PACKAGE_REFUSED" });
});

test("a name or version cannot add an option to the requirements", () => {
  const report = (name: string, version: string): string =>
    reportOf({})
      .replace('"a"', JSON.stringify(name))
      .replace('"version":"1"}', `"version":${JSON.stringify(version)}}`);
  assert.equal(readPipReport(report("a.b_c-D", "1.0rc1+local")).length, 1);
  for (const [name, version] of [
    ["a\n--index-url=https://x", "1"],
    ["a", "1 --hash=sha256:0"],
    ["a b", "1"],
    ["", "1"],
  ] as const)
    assert.throws(() => readPipReport(report(name, version)), { code: "PACKAGE_REFUSED" });
});

test("console scripts are those of their section, whatever else the file has", () => {
  const text =
    "[gui_scripts]\ng = x:y\n[console_scripts]\r\nmcp-a = a:main\nmcp_b=b:main [extra]\n\n[other]\no = x:y\n";
  assert.deepEqual(consoleScripts(text), ["mcp-a", "mcp_b"]);
  fc.assert(fc.property(fc.string(), (any) => consoleScripts(any).every((name) => /^[A-Za-z0-9._-]+$/.test(name))));
  assert.equal(normalName("Foo_.bar"), "foo-bar");
});
