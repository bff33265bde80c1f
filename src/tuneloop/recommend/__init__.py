"""What people chose, when, and what to show them next: a split by time, neighbours of items, figures over users."""

from tuneloop.recommend.figures import beside as beside
from tuneloop.recommend.figures import measure as measure
from tuneloop.recommend.figures import user_figures as user_figures
from tuneloop.recommend.interactions import Case as Case
from tuneloop.recommend.interactions import Interactions as Interactions
from tuneloop.recommend.interactions import cases as cases
from tuneloop.recommend.interactions import read_interactions as read_interactions
from tuneloop.recommend.interactions import split_by_time as split_by_time
from tuneloop.recommend.likeness import cosines as cosines
from tuneloop.recommend.likeness import shared_facts as shared_facts
from tuneloop.recommend.neighbours import ItemNeighbours as ItemNeighbours
from tuneloop.recommend.neighbours import popularity as popularity
from tuneloop.recommend.ranking import Recommender as Recommender
