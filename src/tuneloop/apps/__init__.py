"""What applications are built of: a page and routes of their own beside a served release; templates to begin with."""

from tuneloop.apps.feeds import Feeds as Feeds
from tuneloop.apps.feeds import Item as Item
from tuneloop.apps.feeds import item_of as item_of
from tuneloop.apps.feeds import read_feed as read_feed
from tuneloop.apps.inside import ask as ask
from tuneloop.apps.page import add_page as add_page
from tuneloop.apps.repeat import repeat as repeat
from tuneloop.apps.stream import Stream as Stream
from tuneloop.apps.stream import add_intake as add_intake
from tuneloop.apps.templates import TEMPLATES as TEMPLATES
from tuneloop.apps.templates import create as create
