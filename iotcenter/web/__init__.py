"""How people and programs come in: pages, the JSON API, the event stream, and the line that makes a machine a
device."""
