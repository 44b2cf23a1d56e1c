/** What a server may ask of a client, and the capability that says the client can be asked (MCP, "Capabilities"). */
export const CLIENT_METHODS: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};
