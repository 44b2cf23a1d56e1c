import { CmcpError } from "@cmcp/boundary";
import type { Command } from "../command.ts";
export const verify: Command = { help: "", run: () => Promise.reject(new CmcpError("NOT_SUPPORTED", "later")) };
