"""Adapters: databases, transports, the asyncio runtime. The core imports none of them."""
