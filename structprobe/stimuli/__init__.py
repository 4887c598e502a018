"""Sentences made by condition, with gold trees and named words, and scores by condition."""
