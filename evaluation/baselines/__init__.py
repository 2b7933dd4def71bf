"""What a model is compared with: n-grams, Kneser-Ney, compressors, and their ladder."""
