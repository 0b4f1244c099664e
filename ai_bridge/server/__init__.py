"""The STDIO MCP server, the same for every agent: it parses a tool call, makes one core call, and shows the result.

Call `run.main`.
"""
