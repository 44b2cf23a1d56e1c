import { METHODS, isGoverned } from "@cmcp/mcp";
import { DIALECTS } from "./agent.ts";
import { FOREIGN, type Case } from "./case.ts";
import { FLOWS, speaks } from "./flows.ts";
import { SERVER_ERAS } from "./scene.ts";

/** Every case, generated from the table of methods: methods × dialects × eras of servers × outcomes, with and without foreign members. */
export function casesOf(): Case[] {
  return METHODS.flatMap((method) => {
    if (!isGoverned(method)) return [];
    const { name, eras } = method;
    return DIALECTS.filter((dialect) => speaks(dialect, eras)).flatMap((dialect) =>
      SERVER_ERAS.flatMap((era) =>
        FLOWS[name].outcomes.flatMap((outcome) =>
          FOREIGN.map((foreign) => ({ method: name, dialect, era, outcome, foreign })),
        ),
      ),
    );
  });
}
