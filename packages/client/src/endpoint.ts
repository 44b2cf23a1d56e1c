/** Whether a request goes to an MCP endpoint of the gateway: that of all workflows, or that of one. */
export function isToEndpoint({ method, url }: Pick<Request, "method" | "url">, root: URL): boolean {
  const [{ pathname }, endpoint] = [new URL(url), new URL("mcp", root).pathname];
  return method === "POST" && (pathname === endpoint || pathname.startsWith(`${endpoint}/`));
}
