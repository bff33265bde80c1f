"""What applications are built of: a page and routes of their own beside a served release; templates to begin with."""

from tuneloop.apps.inside import ask as ask
from tuneloop.apps.page import add_page as add_page
from tuneloop.apps.templates import TEMPLATES as TEMPLATES
from tuneloop.apps.templates import create as create
