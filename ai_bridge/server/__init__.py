"""The STDIO MCP server: one, symmetric, for every agent."""
