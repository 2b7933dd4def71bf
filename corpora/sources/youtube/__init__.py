"""Comments on YouTube videos, within the API's quota and retention rules."""
