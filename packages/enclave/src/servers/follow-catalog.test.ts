import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash, loadCatalog, type Catalog, type CatalogServer } from "@cmcp/catalog";
import { Vocabulary } from "@cmcp/session";
import { followCatalog } from "./follow-catalog.ts";
import { definitionOf } from "./server-definition.ts";

const DEFINITION: JsonObject = { description: "Reads.", input_schema: { type: "object" } };
const REVIEW = {
  compliance_domain: "public",
  sensitivity_level: "public",
  added_at: "2026-01-01T00:00:00Z",
  approved_by: "test@example.org",
};

/** A catalog of these named servers, each with one tool and one resource. */
function catalogOf(...servers: readonly { readonly name: string; readonly [member: string]: string }[]): Catalog {
  return loadCatalog(
    {
      servers: servers.map((server) => ({ url: `http://${server.name}.example/mcp`, ...server })),
      entries: servers.map(({ name, url }) => ({
        ...REVIEW,
        tool_name: `${name}.read`,
        server: { display_name: name, url: url ?? `http://${name}.example/mcp`, transport: "streamable-http" },
        approved_definition: DEFINITION,
        definition_hash: definitionHash(DEFINITION),
        requires_baa: false,
      })),
      resources: servers.map(({ name }) => {
        const definition = { name: `${name}.note`, description: "A note." };
        return {
          ...REVIEW,
          server: name,
          uri: `note://${name}`,
          approved_definition: definition,
          definition_hash: definitionHash(definition),
        };
      }),
    },
    { developmentMode: true, vocabulary: new Vocabulary() },
  );
}

const serverOf = ({ servers }: Catalog, name: string): CatalogServer =>
  servers.find((server) => server.name === name) ?? assert.fail(name);

/** What following a change ends, and in what order. */
function followed(before: Catalog, catalogs: { now: Catalog }, callsDone: Promise<unknown>) {
  const said: string[] = [];
  followCatalog(
    {
      upstreams: { closeServers: async (servers) => void said.push(`close ${servers.map(({ name }) => name).join()}`) },
      subscriptions: {
        keepOnly: (keeps) =>
          void said.push(
            `keep ${before.servers
              .filter((server) => keeps(server, `note://${server.name}`))
              .map(({ name }) => name)
              .join()}`,
          ),
      },
      drift: { forget: () => void said.push("forget drift") },
      watch: { forget: ({ name }) => void said.push(`unwatch ${name}`) },
      faults: { forget: ({ name }) => void said.push(`forget faults of ${name}`) },
    },
    { before, inForce: () => catalogs.now, callsDone },
  );
  return said;
}

test("one definition loads as one, whichever catalog has it; another credential or era is another server", () => {
  const [one, again] = [catalogOf({ name: "a" }), catalogOf({ name: "b" }, { name: "a" })];
  assert.equal(definitionOf(serverOf(one, "a")), definitionOf(serverOf(again, "a")));
  for (const other of [{ credential: "token" }, { era: "modern" }, { url: "http://other.example/mcp" }])
    assert.notEqual(definitionOf(serverOf(catalogOf({ name: "a", ...other }), "a")), definitionOf(serverOf(one, "a")));
});

test("subscriptions end at once, and connections when the calls that ran have ended", async () => {
  const before = catalogOf({ name: "a" }, { name: "b" }, { name: "c" });
  const calls = Promise.withResolvers<void>();
  const catalogs = { now: catalogOf({ name: "a" }, { name: "c", credential: "token" }) };
  const said = followed(before, catalogs, calls.promise);
  assert.deepEqual(said, ["keep a"]);
  calls.resolve();
  await new Promise(setImmediate);
  const ofEach = ["b", "c"].flatMap((name) => [`unwatch ${name}`, `forget faults of ${name}`]);
  assert.deepEqual(said.slice(1), ["keep a", "forget drift", ...ofEach, "close b,c"]);
});

test("a server that is back before the calls have ended stays open", async () => {
  const before = catalogOf({ name: "a" }, { name: "b" });
  const calls = Promise.withResolvers<void>();
  const catalogs = { now: catalogOf({ name: "a" }) };
  const said = followed(before, catalogs, calls.promise);
  catalogs.now = catalogOf({ name: "b" });
  calls.resolve();
  await new Promise(setImmediate);
  assert.equal(said.at(-1), "close ");
});
