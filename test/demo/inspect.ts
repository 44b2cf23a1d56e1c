import type { ThreeServers } from "../gateway/three-servers.ts";
import { expectCall } from "./calls.ts";
import type { Inspector } from "./inspector.ts";
import { outcome, say } from "./screen.ts";

const MERGER = { name: "merger", entityType: "deal", observations: ["known to alice"] };

/** The Inspector lists the tools, calls one of each server, and one that policy denies. */
export async function inspect(inspector: Inspector, { scratch }: ThreeServers): Promise<void> {
  const listed = await inspector.run("tools/list");
  expectCall(listed.code === 0, `the Inspector lists tools: ${listed.stderr}`);
  const { tools } = JSON.parse(listed.stdout) as { tools: { name: string }[] };
  say(`tools/list shows ${tools.length} tools that policy may allow: ${tools.map(({ name }) => name).join(", ")}`);
  const calls: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ["echo", { message: "hello from the Inspector" }, /hello from the Inspector/],
    ["write_file", { path: `${scratch}-note.txt`, content: "kept" }, /Successfully wrote/],
    ["create_entities", { entities: JSON.stringify([MERGER]) }, /known to alice/],
  ];
  for (const [name, args, wanted] of calls) {
    const { code, stdout, stderr } = await inspector.call(name, args);
    expectCall(code === 0 && wanted.test(stdout), `${name} is allowed: ${stderr}`);
    outcome(
      "allowed",
      `tools/call ${name}`,
      (JSON.parse(stdout) as { content: { text: string }[] }).content[0]?.text.replaceAll(/\s+/g, " ") ?? "",
    );
  }
  const denied = await inspector.call("write_file", { path: "/tmp/elsewhere.txt", content: "no" });
  expectCall(
    denied.code !== 0 && denied.stdout.includes("policy does not allow"),
    `a path that policy does not allow is denied: ${denied.stdout}${denied.stderr}`,
  );
  const { content } = JSON.parse(denied.stdout) as { content: { text: string }[] };
  outcome("denied", "tools/call write_file /tmp/elsewhere.txt", content[0]?.text ?? "");
}
