"""The sample platform's program. That of a project of one's own is the same."""

from platform_secrets import program

program.run()
